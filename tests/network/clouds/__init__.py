"""Tests of what is rendered for clouds and read from them."""
