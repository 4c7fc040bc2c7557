/** What changes from one plan to another, and for whom: emergency calls first. */
import { useState } from "react";

import { Button } from "../../components/Button";
import { State } from "../../components/State";
import { plan } from "../../language/plan";
import { useTexts } from "../../language/texts";
import { Said } from "./Said";
import type { Change, ChangeKind, Comparison } from "./shapes";

const KINDS: readonly ChangeKind[] = ["emergency", "inside", "in", "part"];
const FIRST = 15;

export function Changes({ comparison }: { readonly comparison: Comparison }) {
  const words = useTexts(plan);
  const [isWhole, setWhole] = useState(false);
  const { changes, count, trouble } = comparison;
  if (comparison.version === comparison.against) return <p>{words.same}</p>;
  if (trouble !== "") {
    return (
      <p className="warning-box">
        {words.not_compared("")}
        <Said text={trouble} />
      </p>
    );
  }
  if (changes.length === 0) return <p>{words.no_change}</p>;
  const shown = isWhole ? changes : changes.slice(0, FIRST);
  return (
    <div className="plan-changes">
      <p className="muted">{words.changes(count)}</p>
      {KINDS.map((kind) => {
        const of = shown.filter((change) => change.kind === kind);
        if (of.length === 0) return null;
        const title = words[`kind_${kind}`];
        return (
          <section key={kind} aria-label={title}>
            <h3>
              {kind === "emergency" ? <State kind="warning">{title}</State> : title}
            </h3>
            <ul className="plain-list">
              {of.map((change, index) => (
                <li key={index}>
                  <ChangeShown change={change} />
                </li>
              ))}
            </ul>
          </section>
        );
      })}
      {shown.length < changes.length && (
        <Button onPress={() => setWhole(true)}>{words.show_all(changes.length)}</Button>
      )}
    </div>
  );
}

function ChangeShown({ change }: { readonly change: Change }) {
  const words = useTexts(plan);
  return (
    <>
      <p>
        <Said text={change.who} />
      </p>
      <dl className="plan-change">
        <div>
          <dt>{words.after}</dt>
          <dd>
            <Said text={change.after} />
          </dd>
        </div>
        <div>
          <dt>{words.before}</dt>
          <dd>
            <Said text={change.before} />
          </dd>
        </div>
      </dl>
    </>
  );
}
