"""Reports as one page to hand on: a file that needs no network, no program beside a browser, and no JavaScript."""
