/** The panel of a button of the town's site: a visitor calls the service, waits their turn, or leaves a number. */
import { StrictMode, useEffect, useState, useSyncExternalStore } from "react";
import { createRoot } from "react-dom/client";

import { Button } from "../components/Button";
import { Field } from "../components/Field";
import { Since } from "../components/Time";
import { click } from "../language/click";
import { LANGUAGES, language, speak, useLanguage, useTexts } from "../language/texts";
import { Keypad } from "../pages/telephone/Keypad";
import { show } from "../shell/appearance";
import "../styles/colours.css";
import "../styles/words.css";
import "../styles/controls.css";
import "../styles/frame.css";
import "../pages/telephone/telephone.css";
import "./panel.css";
import { type Doorway, VisitProblem, button, leaveNumber, lookAt, pass } from "./visit";
import { type Visit, VisitorCall } from "./visitor_call";

const asked = new URLSearchParams(location.search).get("lang");
const chosen = LANGUAGES.find((one) => one === asked);
if (chosen !== undefined) speak(chosen, { isKept: false });
show();

const visitor = new VisitorCall(language());
addEventListener("pagehide", () => visitor.end());

type Words = ReturnType<typeof useTexts<(typeof click)["fr"]>>;

function Panel() {
  const words = useTexts(click);
  const spoken = useLanguage();
  const visit = useSyncExternalStore(visitor.watch, visitor.shown);
  const [doorway, setDoorway] = useState<Doorway>();
  const [why, setWhy] = useState("");
  useEffect(() => {
    lookAt().then(setDoorway, (failure: unknown) => setWhy(failure instanceof VisitProblem ? failure.why : "away"));
  }, []);
  const title = doorway?.title[spoken] ?? words.title;
  useEffect(() => {
    document.title = title;
  }, [title]);
  const said = pass === "" ? "no_site" : why;
  return (
    <main className="panel">
      <h1>{title}</h1>
      {said !== "" && <p role="alert">{textOf(words, said)}</p>}
      {said === "" && doorway !== undefined && <Door words={words} doorway={doorway} visit={visit} />}
      <p className="muted">{words.emergency}</p>
    </main>
  );
}

function Door({ words, doorway, visit }: { readonly words: Words; readonly doorway: Doorway; readonly visit: Visit }) {
  const isBefore = visit.state === "idle" || visit.state === "over";
  return (
    <>
      <div role="status">
        <Said words={words} doorway={doorway} visit={visit} />
      </div>
      {isBefore && doorway.answers && (
        <Button kind="main" onPress={() => void visitor.begin()}>
          {visit.state === "over" ? words.again : words.call}
        </Button>
      )}
      {visit.state === "waiting" && <Button onPress={() => visitor.end()}>{words.stop_waiting}</Button>}
      {!isBefore && visit.state !== "waiting" && visit.state !== "opening" && <InCall words={words} visit={visit} />}
      {doorway.calls_back && (isBefore || visit.state === "waiting") && <CallBack words={words} />}
    </>
  );
}

function Said({ words, doorway, visit }: { readonly words: Words; readonly doorway: Doorway; readonly visit: Visit }) {
  switch (visit.state) {
    case "idle":
      if (!doorway.answers) return <p>{words.closed}</p>;
      return <p>{doorway.is_open ? words.lead : words.closed_answers}</p>;
    case "opening":
      return <p>{words.opening}</p>;
    case "waiting":
      return (
        <>
          <p>{words.waiting(visit.before)}</p>
          <p className="muted">{words.waiting_lead}</p>
        </>
      );
    case "over":
      return <p>{textOf(words, visit.why)}</p>;
    default:
      return <p className="in-call">{words[visit.state]}</p>;
  }
}

function InCall({ words, visit }: { readonly words: Words; readonly visit: Visit }) {
  const [hasKeys, setKeys] = useState(false);
  return (
    <>
      {visit.answeredAt !== undefined && (
        <p className="duration">
          <Since at={visit.answeredAt} />
        </p>
      )}
      <div className="actions">
        <Button kind="danger" onPress={() => visitor.end()}>
          {words.hang_up}
        </Button>
        <Button isPressed={visit.isMuted} onPress={() => visitor.mute(!visit.isMuted)}>
          {visit.isMuted ? words.unmute : words.mute}
        </Button>
        <Button isPressed={hasKeys} onPress={() => setKeys(!hasKeys)}>
          {words.keys}
        </Button>
      </div>
      {hasKeys && <Keypad onKey={(key) => visitor.press(key)} />}
    </>
  );
}

function CallBack({ words }: { readonly words: Words }) {
  const [number, setNumber] = useState("");
  const [said, setSaid] = useState("");
  const leave = async () => {
    try {
      await leaveNumber(number);
      setNumber("");
      setSaid("left");
      visitor.end();
    } catch (failure) {
      setSaid(failure instanceof VisitProblem ? failure.why : "away");
    }
  };
  if (said === "left") return <p role="status">{words.left}</p>;
  return (
    <form
      className="form call-back"
      onSubmit={(event) => {
        event.preventDefault();
        void leave();
      }}
    >
      <Field
        name="number"
        type="tel"
        label={words.number}
        hint={words.number_hint}
        value={number}
        onChange={setNumber}
        maxLength={30}
        error={said === "" ? "" : textOf(words, said)}
      />
      <Button type="submit" isDisabled={number.trim() === ""}>
        {words.leave}
      </Button>
    </form>
  );
}

/** The words of a reason; those for anything else where it has none. */
function textOf(words: Words, why: string): string {
  const found = Object.entries(words).find(([key]) => key === why)?.[1];
  return typeof found === "string" ? found : words.not_possible;
}

const root = document.getElementById("root");
if (root === null) throw new Error("click.html has no #root");
root.dataset.button = button;
createRoot(root).render(
  <StrictMode>
    <Panel />
  </StrictMode>,
);
