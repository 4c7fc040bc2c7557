/** A call that a link asks for (`tel:`, `sip:`): it is shown, and dialled by whoever presses the button, never by itself. */
import { useState } from "react";

import { Button } from "../../components/Button";
import { Link } from "../../components/Link";
import { notify } from "../../components/Notices";
import { Page } from "../../components/Page";
import { useSaying } from "../../components/Problem";
import { spokenNumber } from "../../language/moments";
import { reach } from "../../language/reach";
import { useTexts } from "../../language/texts";
import { type Linked, type Strange, readLink } from "../../reach/link";
import { asProblem } from "../../server/resource";
import { useSession } from "../../server/session";
import { navigate, useQuery } from "../../shell/place";
import { telephone } from "../../telephone/telephone";
import "./call.css";

export default function Call() {
  const words = useTexts(reach);
  const read = readLink(useQuery().get("to") ?? "", location.hostname);
  return (
    <Page title={typeof read === "string" ? words.refused_title : words.call_title}>
      {typeof read === "string" ? <Refused why={read} /> : <Asked linked={read} />}
    </Page>
  );
}

function Refused({ why }: { readonly why: Strange }) {
  const words = useTexts(reach);
  return (
    <>
      <p role="alert">{words[why]}</p>
      <p>
        <Link to="/telephone">{words.home}</Link>
      </p>
    </>
  );
}

function Asked({ linked }: { readonly linked: Linked }) {
  const words = useTexts(reach);
  const say = useSaying();
  const { extension } = useSession();
  const [isBusy, setBusy] = useState(false);
  if (extension === "") return <p role="alert">{words.no_number}</p>;
  const call = () => {
    setBusy(true);
    telephone.dial(linked.number).then(
      (by) => {
        if (by === "rings") notify(words.rings);
        navigate("/telephone", { replace: true });
      },
      (failure: unknown) => {
        setBusy(false);
        notify(say(asProblem(failure)), "bad");
      },
    );
  };
  return (
    <>
      <p className="asked-number">{spokenNumber(linked.number)}</p>
      <p className="lead">{words.call_lead}</p>
      {linked.extension !== "" && <p>{words.call_extension(linked.extension)}</p>}
      <div className="actions">
        <Button kind="main" isBusy={isBusy} onPress={call}>
          {words.call}
        </Button>
        <Button onPress={() => navigate("/telephone", { replace: true })}>{words.cancel}</Button>
      </div>
    </>
  );
}
