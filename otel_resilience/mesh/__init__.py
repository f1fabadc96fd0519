"""Calls by a service's name: policies around them, an endpoint for each attempt."""
