"""The server side of the JupyterLab sidebar: jupyter_server handlers around nbbatch's client."""
