"""Tests of renderings and rulesets of network devices."""
