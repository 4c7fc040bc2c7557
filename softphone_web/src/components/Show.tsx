/** What a resource has: its content, or that it is being read, or what went wrong. */
import type { ReactNode } from "react";

import type { Resource } from "../server/resource";
import { Loading, Problem } from "./Problem";

export function Show<T>({
  resource,
  children,
}: {
  readonly resource: Resource<T>;
  readonly children: (data: T) => ReactNode;
}) {
  return (
    <>
      {resource.problem !== undefined && <Problem problem={resource.problem} onRetry={resource.reload} />}
      {resource.data === undefined ? resource.isLoading && <Loading /> : children(resource.data)}
    </>
  );
}
