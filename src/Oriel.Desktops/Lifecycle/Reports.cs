using Oriel.Protocol;

namespace Oriel.Desktops.Lifecycle;

/// <summary>What the parts of a desktop tell it. They know no more of the desktop than this.</summary>
internal sealed class Reports(Action<StepSnapshot> step, Action<string, string?> warn, Action<string> log, Action<DesktopReason> fail)
{
    /// <summary>A step began, ended or has more to say.</summary>
    public void Step(StepSnapshot snapshot) => step(snapshot);

    /// <summary>Warns of something, or of it no more; without effect where that is so already.</summary>
    /// <param name="code">One of <see cref="WarningCodes"/>.</param>
    /// <param name="message">Null where the cause is gone.</param>
    public void Warn(string code, string? message) => warn(code, message);

    /// <summary>One line of the desktop's log.</summary>
    public void Log(string line) => log(line);

    /// <summary>Ends the desktop because something went wrong; without effect when it is on its way out already.</summary>
    public void Fail(DesktopReason reason) => fail(reason);
}
