/** What is shown instead of a page that failed: words, and a way out. */
import { Component, type ReactNode } from "react";

import { Button } from "../components/Button";
import { shell } from "../language/shell";
import { useTexts } from "../language/texts";

export class ErrorBoundary extends Component<{ readonly children: ReactNode }, { readonly hasFailed: boolean }> {
  override state = { hasFailed: false };

  static getDerivedStateFromError(): { hasFailed: boolean } {
    return { hasFailed: true };
  }

  override render(): ReactNode {
    return this.state.hasFailed ? <Broken /> : this.props.children;
  }
}

function Broken() {
  const words = useTexts(shell);
  return (
    <div className="problem" role="alert">
      <h1>{words.broken}</h1>
      <p>{words.broken_mend}</p>
      <Button onPress={() => location.reload()}>{words.reload}</Button>
    </div>
  );
}
