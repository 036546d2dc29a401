using Oriel.Desktops.Lifecycle;

namespace Oriel.Desktops.Steps;

/// <summary>Carries a reason out of the concurrent steps of a creation; never leaves this project.</summary>
internal sealed class StepFailedException(DesktopReason reason, Exception? cause = null) : Exception(reason.Message, cause)
{
    public DesktopReason Reason { get; } = reason;
}
