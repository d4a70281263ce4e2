"""What a first start shows: a small repository, a workflow that runs in half a minute, three people."""
