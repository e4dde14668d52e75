export { createLogin } from './create-login.js';
export type { Login } from './create-login.js';
export { LoginError } from './login-error.js';
export type { LoginErrorCode, LoginErrorDetails } from './login-error.js';
export type { LoginEndpoints, LoginOptions, StartOptions } from './options.js';
export { requireSession } from './require-session.js';
