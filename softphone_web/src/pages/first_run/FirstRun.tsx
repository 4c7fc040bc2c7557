/** The first run: five questions, one at a time; then the node starts, and this page goes on by itself. */
import { useEffect, useState } from "react";

import { type Answers, Form } from "../../components/Form";
import { Page } from "../../components/Page";
import { Problem } from "../../components/Problem";
import { firstRun } from "../../language/first_run";
import { useTexts } from "../../language/texts";
import { ServerProblem, api } from "../../server/api";
import { asProblem } from "../../server/resource";
import { readSession, signedIn } from "../../server/session";
import { navigate } from "../../shell/place";
import { Question } from "./Question";
import { type FirstTelephone, keep } from "./first_telephone";
import "./first_run.css";

interface Begun {
  readonly questions: Readonly<Record<string, readonly string[]>>;
  readonly answers: Answers;
  readonly countries: readonly string[];
}

const AGAIN_MS = 500;

/** The link's secret stands behind # and is used up once; afterwards a cookie lets this browser in. */
async function begin(): Promise<Begun> {
  const link = location.hash.slice(1);
  if (link === "") return api.get<Begun>("/first-run");
  const begun = await api.post<Begun>("/first-run/open", { link });
  history.replaceState(null, "", location.pathname);
  return begun;
}

// Once for the page, however often it is drawn: the link works once.
let beginning: Promise<Begun> | undefined;

export default function FirstRun() {
  const words = useTexts(firstRun);
  const [begun, setBegun] = useState<Begun>();
  const [problem, setProblem] = useState<ServerProblem>();
  const [isStarting, setStarting] = useState(false);
  useEffect(() => {
    beginning ??= begin();
    beginning.then(setBegun, (failure: unknown) => setProblem(asProblem(failure)));
  }, []);
  useEffect(() => {
    if (problem?.code === "installed") navigate("/", { replace: true });
  }, [problem]);

  if (isStarting) return <Starting />;
  if (problem !== undefined) return <Refused problem={problem} />;
  if (begun === undefined) {
    return (
      <p role="status" className="loading">
        {words.opening}
      </p>
    );
  }
  return <Questions begun={begun} onMade={() => setStarting(true)} />;
}

function Questions({ begun, onMade }: { readonly begun: Begun; readonly onMade: () => void }) {
  const words = useTexts(firstRun);
  const names = Object.keys(begun.questions);
  const [place, setPlace] = useState(0);
  const [answers, setAnswers] = useState<Answers>({ site: words.site_usual, ...begun.answers });
  const name = names[place] ?? "";
  const isLast = place === names.length - 1;
  const answered = async (given: Answers) => {
    const all = { ...answers, ...given };
    setAnswers(all);
    await api.post("/first-run/check", { question: name, answers: all });
    if (!isLast) {
      setPlace(place + 1);
      return;
    }
    keep(await api.post<FirstTelephone>("/first-run/finish", { answers: all }));
    onMade();
  };
  return (
    <Page title={words.title} lead={words.lead}>
      <p className="muted">{words.step(place + 1, names.length)}</p>
      <progress value={place + 1} max={names.length} aria-label={words.step(place + 1, names.length)} />
      <Form
        key={name}
        submit={isLast ? words.make : words.next}
        onSubmit={answered}
        cancel={words.back}
        onCancel={place > 0 ? () => setPlace(place - 1) : undefined}
        isAlwaysFree
      >
        <Question name={name} answers={answers} countries={begun.countries} />
      </Form>
    </Page>
  );
}

/** Waits until the node answers in place of the page's own server, then goes on as the administrator. */
function Starting() {
  const words = useTexts(firstRun);
  useEffect(() => {
    const timer = setInterval(() => {
      void readSession().then(() => {
        if (signedIn().state !== "in") return;
        clearInterval(timer);
        navigate("/first-call", { replace: true });
      });
    }, AGAIN_MS);
    return () => clearInterval(timer);
  }, []);
  return (
    <Page title={words.starting}>
      <p role="status">{words.starting_more}</p>
      <progress aria-label={words.starting} />
    </Page>
  );
}

function Refused({ problem }: { readonly problem: ServerProblem }) {
  const words = useTexts(firstRun);
  const isLink = ["link_refused", "first_run_link"].includes(problem.code);
  return (
    <Page title={isLink ? words.refused : words.title}>
      {isLink ? <p>{words.refused_more}</p> : <Problem problem={problem} onRetry={() => location.reload()} />}
    </Page>
  );
}
