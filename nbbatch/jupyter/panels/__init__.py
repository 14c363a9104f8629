"""Live panels of jobs, arrays and fleets: frames of text, HTML and a figure behind display ids."""
