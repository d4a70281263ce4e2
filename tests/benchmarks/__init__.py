"""How fast the product is, measured on real files as in production: `script/bench`. Nothing here is a test.

Each theme is a module whose functions answer `Figure`s; `catalogue` names them with the goals, `child` runs them in a
process of their own for each database, `table` prints what came out.
"""
