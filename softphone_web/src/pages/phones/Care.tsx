/** What is done with a telephone in service, and how one is put in service by a link. */
import { useState } from "react";

import { Button } from "../../components/Button";
import { Confirm, Dialog } from "../../components/Dialog";
import { notify } from "../../components/Notices";
import { Section } from "../../components/Page";
import { Problem } from "../../components/Problem";
import { Secret } from "../../components/Secret";
import { Time } from "../../components/Time";
import { phones } from "../../language/phones";
import { useTexts } from "../../language/texts";
import { api } from "../../server/api";
import { useAction } from "../../server/resource";
import { useApproval } from "./approval";
import { type Invitation, type Phone, type Told, called } from "./phone";

interface Passwords {
  readonly password: string;
  readonly people_password: string;
  readonly file_password: string;
}

export function Care({ phone, onChanged }: { readonly phone: Phone; readonly onChanged: () => void }) {
  const words = useTexts(phones);
  const action = useAction();
  const [invitation, setInvitation] = useState<Invitation>();
  const [asking, setAsking] = useState<"" | "password" | "rotation">("");
  const [passwords, setPasswords] = useState<Passwords>();
  const { approve, question } = useApproval(() => {
    notify(words.taken);
    onChanged();
  });
  const path = `/phones/${phone.name}`;
  const act = (work: () => Promise<void>) =>
    void action.run(async () => {
      await work();
      onChanged();
    });
  const resync = (restart: boolean) =>
    act(async () => {
      const told = await api.post<Told>(`${path}/resync${restart ? "?restart=true" : ""}`);
      if (told.busy.length > 0) notify(words.busy, "bad");
      else if (told.told.length === 0) notify(words.away, "bad");
      else notify(words.told);
    });
  const isAwaited = phone.stage === "waiting" && phone.address !== "" && phone.lines.length > 0;
  return (
    <Section title={words.part_care}>
      {action.problem !== undefined && <Problem problem={action.problem} />}
      <div className="actions">
        {isAwaited && (
          <Button
            kind="main"
            isBusy={action.isBusy}
            onPress={() => void action.run(() => approve(phone))}
          >
            {words.take}
          </Button>
        )}
        {phone.stage === "enrolled" && (
          <>
            <Button isBusy={action.isBusy} onPress={() => resync(false)}>
              {words.resync}
            </Button>
            <Button isBusy={action.isBusy} onPress={() => resync(true)}>
              {words.restart}
            </Button>
            <Button onPress={() => setAsking("rotation")}>{words.rotate}</Button>
          </>
        )}
        {phone.stage !== "blocked" && (
          <Button onPress={() => act(async () => setInvitation(await api.post<Invitation>(`${path}/invitation`)))}>{words.invite}</Button>
        )}
        <Button onPress={() => setAsking("password")}>{words.password}</Button>
      </div>
      {question}
      {asking === "rotation" && (
        <Confirm
          title={words.rotate_title}
          confirm={words.rotate}
          onClose={() => setAsking("")}
          onConfirm={async () => {
            await api.post(`${path}/rotation`);
            notify(words.rotated);
            onChanged();
          }}
        >
          <p>{words.rotate_what}</p>
        </Confirm>
      )}
      {asking === "password" && (
        <Confirm
          title={words.password_title}
          confirm={words.password_show}
          onClose={() => setAsking("")}
          onConfirm={async () => setPasswords(await api.get<Passwords>(`${path}/password`))}
        >
          <p>{words.password_lead}</p>
        </Confirm>
      )}
      {passwords !== undefined && asking === "" && (
        <Dialog title={called(phone)} onClose={() => setPasswords(undefined)}>
          <Secret isOnce={false} label={words.password} value={passwords.password} />
          {passwords.people_password !== "" && <Secret isOnce={false} label={words.password_people} value={passwords.people_password} />}
          {passwords.file_password !== "" && <Secret isOnce={false} label={words.password_file} value={passwords.file_password} />}
        </Dialog>
      )}
      {invitation !== undefined && <Invited invitation={invitation} onClose={() => setInvitation(undefined)} />}
    </Section>
  );
}

function Invited({ invitation, onClose }: { readonly invitation: Invitation; readonly onClose: () => void }) {
  const words = useTexts(phones);
  return (
    <Dialog title={words.invite_title} onClose={onClose}>
      <p>{words.invite_lead}</p>
      <Secret label={words.invite_label} value={invitation.url} />
      <div className="phone-invitation">
        <img className="qr" alt={words.qr} src={invitation.qr} width="200" height="200" />
        <div>
          <p>
            {words.invite_until}{" "}
            <strong>
              <Time at={invitation.until_at} />
            </strong>
          </p>
          <p className="hint">{words.invite_old}</p>
        </div>
      </div>
    </Dialog>
  );
}
