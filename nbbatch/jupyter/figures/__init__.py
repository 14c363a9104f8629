"""From numbers to plotly figures: one visual language, no widget."""
