using Oriel.Agents;
using Oriel.Desktops.Attestation;
using Oriel.Desktops.Lifecycle;
using Oriel.Desktops.Steps;
using Oriel.Desktops.Templates;
using Oriel.Egress.Policy;
using Oriel.Protocol;
using Oriel.Protocol.Guest;
using Oriel.Protocol.Keeper;

namespace Oriel.Desktops.Creation;

/// <summary>A running desktop that another is to be a copy of.</summary>
/// <param name="desktop">As it is now.</param>
/// <param name="agent">The link to its agent; null when it is ending.</param>
/// <param name="copy">Has memory, devices and disk copied into an empty directory; the guest is paused meanwhile.</param>
internal sealed class ForkSource(
    Func<DesktopView> desktop,
    EgressPolicy policy,
    KeeperSpec keeper,
    AttestationDocument attestation,
    Func<AgentLink?> agent,
    Func<string, CancellationToken, Task<VerbResult>> copy
)
{
    public byte[] AgentKey => keeper.AgentKey;

    /// <summary>The copy as a wish: all that the other one has, for as long from now on as it had from its own beginning.</summary>
    public DesktopSpec SpecOf(string name)
    {
        var view = desktop();
        return new DesktopSpec
        {
            Template = view.Template,
            Name = name,
            Image = view.ImageName,
            Width = view.Width,
            Height = view.Height,
            Hostname = view.Hostname,
            TimeZone = attestation.TimeZone,
            KeyboardLayout = attestation.KeyboardLayout,
            Egress = policy,
            Limits = new DesktopLimits(keeper.Limits.MemoryBytes, keeper.Limits.Cpus, keeper.Limits.Pids, keeper.Limits.DiskBytes),
            Ttl = view.ExpiresAt - view.CreatedAt,
            IdleTimeout = view.IdleTimeout,
            IdlePause = view.IdlePause,
        };
    }

    /// <summary>
    /// What the copy must show as well: each file and variable that was proven when this one became ready, as they are now, and its
    /// windows. What has been removed since, or changed for some observers only, is not expected.
    /// </summary>
    /// <exception cref="Grpc.Core.RpcException">The agent does not answer.</exception>
    public async Task<Expectation> ObserveAsync(CancellationToken cancellationToken)
    {
        var link = agent() ?? throw new IOException($"the desktop {desktop().Id} is gone");
        var connection = await link.ConnectAsync(cancellationToken);
        var request = new AttestRequest();
        request.Paths.AddRange(attestation.Files.Select(file => file.Path));
        request.EnvNames.AddRange(attestation.Environment.Select(variable => variable.Name));
        var reply = await connection.Guest.AttestAsync(request, cancellationToken: cancellationToken);
        var windows = await WindowWatch.ReadAsync(connection, cancellationToken);
        var size = desktop();
        return new Expectation(
            [.. reply.Files.Where(proof => proof.Error.Length == 0).Select(ExpectedFile.Of)],
            reply.Env.Where(IsTheSameForAll).ToDictionary(variable => variable.Name, variable => variable.SeenBy.Values.First()),
            reply.Hostname,
            reply.TimeZone,
            reply.KeyboardLayout,
            size.Width,
            size.Height,
            windows.Any(window => window.Mapped && Attestor.IsTerminal(window)),
            windows.Any(window => window.Mapped && Attestor.IsBrowser(window))
        );
    }

    /// <summary>Has memory, devices and disk copied into a directory that it makes; the desktop is paused meanwhile.</summary>
    /// <exception cref="StepFailedException">It is not ready any more, or it could not be copied.</exception>
    public async Task CopyAsync(string directory, StepProgress progress, CancellationToken cancellationToken)
    {
        var id = desktop().Id;
        progress.Seen($"of {id}");
        Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var result = await copy(directory, cancellationToken);
        if (!result.Accepted)
        {
            throw progress.Fail(ReasonCodes.StepFailed, $"The desktop {id} could not be copied: {result.Problem ?? result.Message}");
        }
    }

    private static bool IsTheSameForAll(ObservedEnv variable) =>
        Attestor.Observers.All(variable.SeenBy.ContainsKey) && variable.SeenBy.Values.Distinct().Count() == 1;
}
