/**
 * What lies around a call on the telephone's page: the first minutes, where one is, whom to call, a note on the call
 * that one is in, calls of before, voicemail, and where one's calls go.
 */
import { Section } from "../../components/Page";
import { around } from "../../language/around";
import { useTexts } from "../../language/texts";
import { useMay, useSession } from "../../server/session";
import { living, useTelephone } from "../../telephone/store";
import { AddressHere } from "./AddressHere";
import { FindSomebody } from "./FindSomebody";
import { FirstMinutes } from "./FirstMinutes";
import { Forwarding } from "./Forwarding";
import { NoteField } from "./NoteField";
import { Recent } from "./Recent";
import { VoicemailPanel } from "./VoicemailPanel";
import { usePresence } from "./presence";
import "../directory/directory.css";
import "./around.css";

/** What comes first: where one is, and the first minutes. */
export function AboveCalls() {
  const mayFind = useMay("people.read");
  return (
    <>
      <AddressHere />
      {mayFind && <First />}
    </>
  );
}

/** What goes with the calls: a note on the one that talks, and whom to call next. */
export function BelowCalls() {
  const mayFind = useMay("people.read");
  return (
    <>
      <NoteOnCall />
      {mayFind && (
        <div className="panel">
          <FindSomebody />
        </div>
      )}
    </>
  );
}

/** What one looks at between calls. */
export function Around() {
  const words = useTexts(around);
  const { extension } = useSession();
  return (
    <div className="around">
      <div className="panel">
        <Recent />
      </div>
      <div className="panel">
        <Forwarding extension={extension} title={words.settings} />
      </div>
      <div className="panel wide">
        <VoicemailPanel />
      </div>
    </div>
  );
}

function First() {
  const presence = usePresence();
  return <FirstMinutes echo={presence.echo} />;
}

/** While one talks: a note on that call. */
function NoteOnCall() {
  const words = useTexts(around);
  const call = living(useTelephone().calls).find((one) => one.state === "talking" && !one.isHeld && one.nodeCall !== "");
  if (call === undefined) return null;
  return (
    <div className="panel">
      <Section title={words.note_call}>
        <NoteField key={call.nodeCall} call={call.nodeCall} />
      </Section>
    </div>
  );
}
