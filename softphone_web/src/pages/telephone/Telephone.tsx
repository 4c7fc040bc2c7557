/** The telephone: whom to call, the calls in progress, and how the telephone itself is. */
import { Page, Section } from "../../components/Page";
import { Empty } from "../../components/Problem";
import { telephone as words_of } from "../../language/telephone";
import { useTexts } from "../../language/texts";
import { useSession } from "../../server/session";
import { useTelephone } from "../../telephone/store";
import { AboveCalls, Around, BelowCalls } from "../around/Around";
import { CallCard } from "./CallCard";
import { DialPad } from "./DialPad";
import { PhoneState, Troubles } from "./PhoneState";
import "./telephone.css";

export default function Telephone() {
  const words = useTexts(words_of);
  const session = useSession();
  const { calls } = useTelephone();
  const shown = calls.filter((call) => call.state !== "ringing");
  if (session.extension === "") return <Page title={words.title} lead={words.off_says}>{null}</Page>;
  return (
    <Page title={words.title}>
      <PhoneState />
      <Troubles />
      <AboveCalls />
      <div className="telephone">
        <div className="telephone-calls">
          <Section title={words.calls}>
            {shown.length === 0 && <Empty>{words.none}</Empty>}
            {shown.map((call) => (
              <CallCard key={call.id} call={call} others={shown.filter((one) => one !== call)} />
            ))}
          </Section>
          <BelowCalls />
        </div>
        <DialPad />
      </div>
      <Around />
    </Page>
  );
}
