using System.Net;
using Oriel.Protocol;
using Oriel.Protocol.Boot;

namespace Oriel.Agent.Boot;

/// <summary>
/// Where the agent listens and what it reads at its start. From the environment of PID 1; a desktop's user cannot change it.
/// </summary>
/// <param name="BootConfigPath"><c>ORIEL_BOOT_CONFIG</c>, default <see cref="BootConfig.GuestPath"/>.</param>
/// <param name="Listen"><c>ORIEL_AGENT_LISTEN</c>: <c>tcp:ADDRESS:PORT</c> (default the guest's address and port) or
/// <c>unix:PATH</c>.</param>
/// <param name="Headless">
/// <c>ORIEL_HEADLESS=1</c>, set by an image that has no desktop: no X server, bus or session is started, and what would wait for one does
/// without. Such a guest is configured and attested, runs programs and reaches its proxy, in a fraction of a desktop's memory.
/// </param>
internal sealed record AgentOptions(string BootConfigPath, AgentEndpoint Listen, bool Headless)
{
    public const string BootConfigVariable = "ORIEL_BOOT_CONFIG";
    public const string ListenVariable = "ORIEL_AGENT_LISTEN";
    public const string HeadlessVariable = "ORIEL_HEADLESS";

    /// <summary>Who may connect by TCP: the keeper's end of the link, never a process of the guest itself.</summary>
    public static IPAddress Gateway { get; } = IPAddress.Parse(GuestNetwork.GatewayAddress);

    /// <exception cref="FormatException">A variable is malformed.</exception>
    public static AgentOptions FromEnvironment()
    {
        var listen = Environment.GetEnvironmentVariable(ListenVariable);
        return new AgentOptions(
            Environment.GetEnvironmentVariable(BootConfigVariable) is { Length: > 0 } path ? path : BootConfig.GuestPath,
            string.IsNullOrEmpty(listen)
                ? new AgentEndpoint(new IPEndPoint(IPAddress.Parse(GuestNetwork.GuestAddress), GuestNetwork.AgentPort), null)
                : AgentEndpoint.Parse(listen),
            Environment.GetEnvironmentVariable(HeadlessVariable) == "1"
        );
    }
}

/// <summary>Exactly one of the two is set.</summary>
internal sealed record AgentEndpoint(IPEndPoint? Tcp, string? UnixPath)
{
    public static AgentEndpoint Parse(string text)
    {
        if (text.StartsWith("unix:/", StringComparison.Ordinal))
        {
            return new AgentEndpoint(null, text["unix:".Length..]);
        }

        return text.StartsWith("tcp:", StringComparison.Ordinal) && IPEndPoint.TryParse(text["tcp:".Length..], out var endpoint)
            ? new AgentEndpoint(endpoint, null)
            : throw new FormatException($"{AgentOptions.ListenVariable} is neither tcp:ADDRESS:PORT nor unix:/PATH.");
    }

    public override string ToString() => Tcp is null ? $"unix:{UnixPath}" : $"tcp:{Tcp}";
}
