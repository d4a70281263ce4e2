# Puts the page together: header, warnings, the tides of every harbour, footer.
page() {
    cat docs/pages/header.html
    sed 's/^/Warning: /' data/warnings.csv
    sort data/tides.csv
    cat docs/pages/footer.html
}
