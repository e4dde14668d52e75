// The example, as an app has copied it.
export { fromOidcClient, takeOver } from '../../examples/migrate/stored-sessions.js';
