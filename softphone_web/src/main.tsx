import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { install } from "./reach/installing";
import { readSession } from "./server/session";
import { Shell } from "./shell/Shell";
import { show } from "./shell/appearance";
import "./styles/colours.css";
import "./styles/words.css";
import "./styles/controls.css";
import "./styles/frame.css";
import "./styles/tables.css";

show();
install();
void readSession();
const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no #root");
createRoot(root).render(
  <StrictMode>
    <Shell />
  </StrictMode>,
);
