"""Authoring bots: begin one (`scaffold`), and try it on the author's own machine as a runner would (`trial`)."""
