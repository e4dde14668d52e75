interface ActionsProps {
  onOpenTab: () => void;
  onCallApi: () => void;
  onRefresh: () => void;
  onSignOut: () => void;
}

export function Actions({ onOpenTab, onCallApi, onRefresh, onSignOut }: ActionsProps) {
  return (
    <section className="card actions" aria-labelledby="actions">
      <h2 id="actions">Do something</h2>
      <div className="buttons">
        <button type="button" className="primary" onClick={onOpenTab}>
          Open another tab
        </button>
        <button type="button" onClick={onCallApi}>
          Call the API
        </button>
        <button type="button" onClick={onRefresh}>
          Force a refresh
        </button>
        <button type="button" className="quiet" onClick={onSignOut}>
          Sign out everywhere
        </button>
      </div>
    </section>
  );
}
