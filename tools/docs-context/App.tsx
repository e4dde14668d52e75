// The page of the documentation.
export default function App(): null {
  return null;
}
