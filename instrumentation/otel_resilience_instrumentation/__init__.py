"""Instrumentation that guards the calls of a service and tells the story of its failures, without a line of its code."""
