"""How the connection to each system is doing: what a page and a command show, and the checks people ask for."""
