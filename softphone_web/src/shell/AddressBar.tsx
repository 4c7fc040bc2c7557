/** Whoever is outside of our buildings is asked where, on every page: help must find them. The telephone's page asks itself. */
import { Link } from "../components/Link";
import { around } from "../language/around";
import { useTexts } from "../language/texts";
import { useHere } from "../pages/around/here";

export function AddressBar({ extension, path }: { readonly extension: string; readonly path: string }) {
  const words = useTexts(around);
  const { device } = useHere(path === "/telephone" ? "" : extension);
  if (device === undefined || !device.address_wanted) return null;
  return (
    <div className="bars" role="status">
      <p className="bar warning">
        {words.where_title} <Link to="/telephone">{words.where_say}</Link>
      </p>
    </div>
  );
}
