// What the documentation's login module exports.
export declare function startSignIn(): Promise<void>;
export declare function finishSignIn(): Promise<void>;
