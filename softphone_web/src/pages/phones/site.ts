/** What sites are called: the server names them by the word that the plan has. */
import { useResource } from "../../server/resource";
import type { Choices } from "../directory/shapes";

/** A function from the plan's word to a site's title; the word itself until that is known. */
export function useSiteTitle(): (name: string) => string {
  const sites = useResource<Choices>("/directory/choices").data?.sites ?? [];
  return (name) => sites.find((one) => one.name === name)?.title ?? name;
}
