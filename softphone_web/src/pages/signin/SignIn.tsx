/** Signing in: the step that comes next, until nothing is missing. */
import { useSignedIn } from "../../server/session";
import { MustChange } from "./MustChange";
import { PasswordStep } from "./PasswordStep";
import { SecondFactor } from "./SecondFactor";
import { SetUp } from "./SetUp";
import "./signin.css";

export default function SignIn() {
  const now = useSignedIn();
  if (now.state !== "in") return <PasswordStep />;
  switch (now.session.second_factor) {
    case "needed":
      return <SecondFactor session={now.session} />;
    case "must_set_up":
      return <SetUp session={now.session} />;
    default:
      return <MustChange />;
  }
}
