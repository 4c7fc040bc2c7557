/** What was found in the plan: a list beside the text, whose lines lead to theirs. */
import { Problem } from "../../components/Problem";
import { State } from "../../components/State";
import { plan } from "../../language/plan";
import { useTexts } from "../../language/texts";
import type { Checking } from "./checking";
import { Said } from "./Said";
import { said } from "./saying";
import type { Finding } from "./shapes";

const KINDS = { error: "bad", warning: "warning", note: "off" } as const;

export function Findings({
  checking,
  onJump,
}: {
  readonly checking: Checking;
  readonly onJump: (line: number, column: number) => void;
}) {
  const words = useTexts(plan);
  const { found, problem, isOld } = checking;
  const told = found === undefined ? 0 : found.errors + found.warnings + found.notes;
  return (
    <section className="plan-panel" aria-label={words.findings}>
      <h2>{words.findings}</h2>
      <p role="status" className="muted">
        {isOld
          ? words.checking
          : found === undefined
            ? ""
            : told === 0
              ? words.no_findings
              : words.counts(found.errors, found.warnings, found.notes)}
      </p>
      {problem !== undefined && !isOld && <Problem problem={problem} />}
      {found !== undefined && found.findings.length > 0 && (
        <ul className="plain-list plan-findings" data-old={isOld || undefined}>
          {found.findings.map((one, index) => (
            <li key={index}>
              <FindingShown finding={one} onJump={onJump} />
            </li>
          ))}
        </ul>
      )}
      {found !== undefined && told > found.findings.length && (
        <p className="muted">{words.more_findings(told - found.findings.length)}</p>
      )}
    </section>
  );
}

function FindingShown({
  finding,
  onJump,
}: {
  readonly finding: Finding;
  readonly onJump: (line: number, column: number) => void;
}) {
  const words = useTexts(plan);
  return (
    <>
      <div className="plan-finding-head">
        <State kind={KINDS[finding.severity]}>{words[finding.severity]}</State>
        {finding.line > 0 ? (
          <LineButton line={finding.line} what={finding.message} onPress={() => onJump(finding.line, finding.column)} />
        ) : (
          <span className="muted">{words.nowhere}</span>
        )}
      </div>
      <p>
        <Said text={finding.message} />
        {finding.hint !== "" && (
          <span className="hint plan-hint">
            <Said text={finding.hint} />
          </span>
        )}
      </p>
    </>
  );
}

/** A line of the plan that one may go to. */
export function LineButton({
  line,
  what,
  onPress,
}: {
  readonly line: number;
  readonly what: string;
  readonly onPress: () => void;
}) {
  const words = useTexts(plan);
  return (
    <button type="button" className="call" aria-label={words.line_label(line, said(what))} onClick={onPress}>
      {words.line(line)}
    </button>
  );
}
