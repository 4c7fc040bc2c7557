/** What a telephone signs in with: shown once. */
import { Facts } from "../../components/Facts";
import { Secret } from "../../components/Secret";
import { devices } from "../../language/devices";
import { useTexts } from "../../language/texts";
import "./directory.css";
import type { Credentials as Known } from "./shapes";

export function Credentials({ known }: { readonly known: Known }) {
  const words = useTexts(devices);
  return (
    <div className="stacked credentials">
      <p>{words.credentials}</p>
      <Facts
        facts={[
          [words.server, <code key="server">{known.server}</code>],
          [words.user, <code key="user">{known.sign_in}</code>],
        ]}
      />
      <Secret label={words.password} value={known.password} />
    </div>
  );
}
