/**
 * The button for the town's own site, one line of HTML there:
 *
 *     <script src="https://pbx.valmont.example/click/mairie.js" defer></script>
 *
 * It stands where the script does, or in the element that `data-in` names; it is a plain button, which the site's
 * sheet may style as `.beffroi-call`. The panel is a window of the PBX's own, so that the microphone is asked for in
 * the PBX's name; `data-panel="frame"` shows it within the page.
 *
 * It is loaded alone, by pages that aren't ours: nothing is imported, nothing is kept, nothing is said to anybody
 * before the button is pressed.
 */
(() => {
  const script = document.currentScript as HTMLScriptElement | null;
  if (script === null) return;
  const source = new URL(script.src);
  const name = /\/click\/([a-z0-9-]+)\.js$/.exec(source.pathname)?.[1];
  if (name === undefined) return;
  const { label, panel, in: into } = script.dataset;
  const spoken = (script.closest("[lang]")?.getAttribute("lang") ?? navigator.language).toLowerCase();
  const language = spoken.startsWith("en") ? "en" : "fr";
  const words = {
    fr: {
      call: "Appeler depuis le navigateur",
      opens: "ouvre une fenêtre",
      close: "Fermer",
      not_here: "Ce bouton ne marche pas sur ce site.",
      away: "L’appel n’est pas possible en ce moment. Réessayez plus tard.",
    },
    en: {
      call: "Call from the browser",
      opens: "opens a window",
      close: "Close",
      not_here: "This button doesn’t work on this site.",
      away: "The call isn’t possible at the moment. Try again later.",
    },
  }[language];

  const button = document.createElement("button");
  button.type = "button";
  button.className = "beffroi-call";
  button.lang = language;
  button.textContent = label ?? words.call;
  if (panel !== "frame") button.title = words.opens;
  const said = document.createElement("span");
  said.setAttribute("role", "status");
  said.className = "beffroi-said";
  // A script of a page's head stands nowhere: the button is then put where the page says, or at its end.
  if (into === undefined && script.closest("head") === null) script.after(button, said);
  else if (document.readyState === "loading") addEventListener("DOMContentLoaded", put);
  else put();

  function put(): void {
    const place = into === undefined ? null : document.querySelector(into);
    (place ?? document.body).append(button, said);
  }

  button.addEventListener("click", () => void open());

  async function open(): Promise<void> {
    said.textContent = "";
    // Opened at once: later, a browser takes it for one that nobody asked for.
    const opened = panel === "frame" ? null : window.open("", "", "popup,width=420,height=640");
    let visit: string;
    try {
      const answer = await fetch(`${source.origin}/api/v1/click/${name ?? ""}/pass`, { credentials: "omit" });
      if (!answer.ok) throw new Error(String(answer.status));
      visit = ((await answer.json()) as { visit: string }).visit;
    } catch (failure) {
      opened?.close();
      said.textContent = failure instanceof Error && failure.message === "403" ? words.not_here : words.away;
      return;
    }
    const address = `${source.origin}/click/${name ?? ""}?lang=${language}#${visit}`;
    if (opened === null) within(address);
    else {
      opened.opener = null;
      opened.location.replace(address);
    }
  }

  /** Show the panel in this page, where a window is not wanted or was blocked. */
  function within(address: string): void {
    const dialog = document.createElement("dialog");
    dialog.className = "beffroi-panel";
    dialog.setAttribute("aria-label", button.textContent);
    const frame = document.createElement("iframe");
    frame.src = address;
    frame.allow = "microphone; autoplay";
    frame.title = button.textContent;
    frame.width = "380";
    frame.height = "560";
    frame.style.border = "0";
    frame.style.maxWidth = "100%";
    const close = document.createElement("button");
    close.type = "button";
    close.textContent = words.close;
    close.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => dialog.remove()); // which ends the call, if there is one
    dialog.append(close, document.createElement("br"), frame);
    document.body.append(dialog);
    dialog.showModal();
  }
})();
