using Oriel.Protocol;

namespace Oriel.Desktops.Lifecycle;

/// <summary>What the parts of a desktop see of it and report to it. They know no more of the desktop than this.</summary>
internal sealed class Reports(
    Func<DesktopView> view,
    Action<StepView> step,
    Action<string, string?> warn,
    Action<string> log,
    Action<DesktopReason> fail,
    Func<DesktopVerb, AttestationDocument?, CancellationToken, Task> advance
)
{
    /// <summary>The desktop as it is now.</summary>
    public DesktopView View => view();

    /// <summary>A step began, ended or has more to say.</summary>
    public void Step(StepView view) => step(view);

    /// <summary>Warns of something, or of it no more; without effect where that is so already.</summary>
    /// <param name="code">One of <see cref="WarningCodes"/>.</param>
    /// <param name="message">Null where the cause is gone.</param>
    public void Warn(string code, string? message) => warn(code, message);

    /// <summary>One line of the desktop's log.</summary>
    public void Log(string line) => log(line);

    /// <summary>Ends the desktop because something went wrong; without effect when it is ending already.</summary>
    public void Fail(DesktopReason reason) => fail(reason);

    /// <summary>The creation has come a state further. Returns once the desktop is in that state, or ending.</summary>
    public Task AdvanceAsync(DesktopVerb verb, CancellationToken cancellationToken) => advance(verb, null, cancellationToken);

    /// <summary>The desktop is ready. Returns once that is stored.</summary>
    /// <param name="document">The proof; null where an earlier one still holds.</param>
    public Task ProvenAsync(AttestationDocument? document, CancellationToken cancellationToken) =>
        advance(DesktopVerb.Prove, document, cancellationToken);
}
