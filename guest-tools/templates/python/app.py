"""The tool {{name}}: greets somebody."""

import noetl


@noetl.tool
def run(args, config):
    name = args["name"].strip()
    if not name:
        raise noetl.InvalidInput("`name` is empty: who shall be greeted?")
    noetl.log(f"greeting {name}")
    return {"text": f"{config.get('greeting', 'Hello')}, {name}!"}
