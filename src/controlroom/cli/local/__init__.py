"""What `controlroom up` is made of: the supervisor of the two processes, the first set-up, the tour of the examples."""
