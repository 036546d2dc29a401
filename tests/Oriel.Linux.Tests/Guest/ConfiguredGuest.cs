using System.Text;
using Google.Protobuf;
using Grpc.Core;
using Oriel.Agents;
using Oriel.Protocol.Guest;

[assembly: AssemblyFixture(typeof(Oriel.Linux.Tests.Guest.ConfiguredGuest))]

namespace Oriel.Linux.Tests.Guest;

/// <summary>One guest, configured and with its desktop, for all tests that do not end it. Started by the first that asks.</summary>
public sealed class ConfiguredGuest : IAsyncDisposable
{
    private readonly SemaphoreSlim _once = new(1, 1);
    private GuestUnderTest? _guest;
    private AgentConnection? _agent;

    internal static IReadOnlyDictionary<string, string> Variables { get; } =
        new Dictionary<string, string>
        {
            ["PLAIN"] = "value",
            ["SPACES"] = "  two  words ",
            ["QUOTES"] = "a 'single' and a \"double\"",
            ["QUOTED"] = "\"whole\"",
            ["EXPANSION"] = "$HOME `id` $(id) %h",
            ["BACKSLASH"] = "C:\\dir\\",
            ["HASH"] = "before # after",
            ["EQUALS"] = "a=b=c",
            ["EMPTY"] = "",
            ["UNICODE"] = "grüße 世界 🪟",
            ["http_proxy"] = "http://192.168.100.1:10001",
        };

    internal static IReadOnlyList<ConfiguredFile> Files { get; } =
    [
        new() { Path = "/home/user/notes/todo.txt", Content = ByteString.CopyFromUtf8("buy milk\n") },
        new()
        {
            Path = "/home/user/.config/secret",
            Content = ByteString.CopyFromUtf8("s3"),
            Mode = 0x180,
        },
        new()
        {
            Path = "/etc/oriel.d/root.conf",
            Content = ByteString.CopyFromUtf8("x=1\n"),
            Mode = 0x1a0,
            Owner = "root",
        },
        new()
        {
            Path = "/opt/tool/run",
            Content = ByteString.CopyFromUtf8("#!/bin/sh\necho tool\n"),
            Mode = 0x1ed,
            Owner = "0:1000",
        },
        new() { Path = "/home/user/empty", Content = ByteString.Empty },
        new() { Path = "/home/user/large.bin", Content = ByteString.CopyFrom(Encoding.ASCII.GetBytes(new string('x', 5_000_000))) },
        new() { Path = "/home/user/ünïcode name", Content = ByteString.CopyFromUtf8("u") },
    ];

    internal async Task<AgentConnection> AgentAsync(CancellationToken cancellationToken)
    {
        await _once.WaitAsync(cancellationToken);
        try
        {
            if (_agent is null)
            {
                _guest ??= GuestUnderTest.Start();
                var agent = await _guest.ConnectAsync(cancellationToken);
                var request = new ConfigureRequest
                {
                    Hostname = "workbench",
                    TimeZone = "Asia/Kathmandu",
                    KeyboardLayout = "de(nodeadkeys)",
                    Width = 1024,
                    Height = 768,
                };
                request.Files.AddRange(Files);
                request.Env.Add(Variables.ToDictionary());
                Configured = await agent.Guest.ConfigureAsync(request, cancellationToken: cancellationToken);
                await _guest.WaitForStepAsync(agent, "session", StepState.Done, cancellationToken);
                _agent = agent;
            }

            return _agent;
        }
        catch (RpcException e)
        {
            throw new InvalidOperationException($"The guest could not be configured. Its console:\n{_guest?.Console}", e);
        }
        finally
        {
            _once.Release();
        }
    }

    internal ConfigureReply Configured { get; private set; } = new();

    internal GuestUnderTest Guest => _guest!;

    public async ValueTask DisposeAsync()
    {
        _agent?.Dispose();
        if (_guest is not null)
        {
            await _guest.DisposeAsync();
        }

        _once.Dispose();
    }
}
