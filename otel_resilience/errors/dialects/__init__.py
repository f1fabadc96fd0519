"""How the results of client libraries are read. None of the libraries is imported before it is used."""
