import { render } from "preact";
import { App } from "./app";
import { listenToKeys } from "./keys";
import { loadSession } from "./session";
import "./theme";

listenToKeys();
void loadSession();
render(<App />, document.body);
