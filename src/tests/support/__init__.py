"""What the tests share: servers, processes and catalogs."""
