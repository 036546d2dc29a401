namespace Oriel.Keeper.Drivers.Firecracker.Api;

/// <summary>Why a request to the VMM did not succeed.</summary>
internal enum FirecrackerFault
{
    /// <summary>Its socket is not there or takes no connection.</summary>
    Unreachable,

    /// <summary>No whole answer within the deadline.</summary>
    NoAnswer,

    /// <summary>It closed the connection early, or what it said is not what the interface says.</summary>
    BrokenAnswer,

    /// <summary>It understood and refused; <see cref="FirecrackerException.FaultMessage"/> is its own word.</summary>
    Refused,
}

/// <summary>A request to the VMM failed; the message names the request and what was last seen.</summary>
/// <param name="request">Method and path.</param>
/// <param name="status">HTTP status; 0 where there was none.</param>
/// <param name="faultMessage">What the VMM gave as <c>fault_message</c>, at most 1,000 characters; null where it gave none.</param>
internal sealed class FirecrackerException(
    FirecrackerFault fault,
    string request,
    string why,
    int status = 0,
    string? faultMessage = null,
    Exception? inner = null
) : IOException($"Firecracker, {request}: {why}", inner)
{
    public FirecrackerFault Fault { get; } = fault;

    /// <summary>The message without the request's name.</summary>
    public string Why { get; } = why;

    /// <summary>Whether nothing was understood of an answer, as where the VMM ends meanwhile.</summary>
    public bool IsOfTheConnection => Fault is FirecrackerFault.Unreachable or FirecrackerFault.NoAnswer or FirecrackerFault.BrokenAnswer;

    public string Request { get; } = request;

    public int Status { get; } = status;

    public string? FaultMessage { get; } = faultMessage;
}
