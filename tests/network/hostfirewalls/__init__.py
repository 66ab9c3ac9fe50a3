"""The firewalls of single hosts: ufw, firewalld and Windows, each with its own tools where they can be had."""
