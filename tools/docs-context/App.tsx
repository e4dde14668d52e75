// What the documentation's page shows.
export default function App(): null {
  return null;
}
