"""The console: the operator's pages over the engine, the service and the lab, rendered here and served beside the API.

    browser ─▶ door (session, scope, form) ─▶ a page's function ─▶ service ─▶ HTML from a template

Pages know words and addresses; they hold no rule, compute no money and know no SQL.
"""
