using System.Text;
using Google.Protobuf;
using Google.Protobuf.Collections;
using Grpc.Core;
using Oriel.Protocol.Display;
using Oriel.Protocol.Guest;
using Oriel.Protocol.Keeper;
using Oriel.Tests.Server;

namespace Oriel.Tests.Creation;

/// <summary>One thing that goes wrong on the guest's side of a creation, and what the server must make of it.</summary>
/// <param name="Code">The reason that must be given; null where it depends on what is noticed first.</param>
/// <param name="Step">The step that must be named; null where several run beside each other.</param>
internal sealed record CreationFault(string Name, string? Code, string? Step, Func<PlayedKeepers, KeeperSpec, PlayedGuest> Guest)
{
    /// <summary>
    /// The calls of a creation, in the order in which they begin, and the step that each is made in; null where several run.
    /// </summary>
    public static IReadOnlyList<(string Call, string? Step)> Calls { get; } =
    [
        ("Hello", "agent"),
        ("Resize", "screen-size"),
        ("WatchSteps", null),
        ("Configure", "configure"),
        ("Watch", null),
        ("Video", "first-frame"),
        ("Attest", "files-verified"),
    ];

    public static CreationFault None { get; } = new("none", null, null, (_, _) => new PlayedGuest());

    /// <summary>Those that show at once.</summary>
    public static IReadOnlyList<CreationFault> All { get; } =
    [
        Attesting("digest", "files-mismatch", "files-verified", reply => Flip(Last(reply.Files))),
        Attesting("mode", "files-mismatch", "files-verified", reply => Last(reply.Files).Mode ^= 0x12),
        Attesting("owner", "files-mismatch", "files-verified", reply => Last(reply.Files).Gid += 1),
        Attesting("unreadable", "files-mismatch", "files-verified", reply => Last(reply.Files).Error = "Input/output error"),
        Attesting("missing", "files-mismatch", "files-verified", reply => reply.Files.RemoveAt(reply.Files.Count - 1)),
        Attesting("no files", "files-mismatch", "files-verified", reply => reply.Files.Clear()),
        Attesting("another path", "files-mismatch", "files-verified", reply => Last(reply.Files).Path += "~"),
        Attesting("twice, right first", "files-mismatch", "files-verified", reply => Flip(Twice(reply.Files))),
        Attesting(
            "twice, wrong first",
            "files-mismatch",
            "files-verified",
            reply =>
            {
                Twice(reply.Files);
                Flip(reply.Files[^2]);
            }
        ),
        Attesting("variable", "environment-mismatch", "environment-verified", reply => Asked(reply).SeenBy["session"] += "x"),
        Attesting("variable unseen", "environment-mismatch", "environment-verified", reply => Asked(reply).SeenBy.Remove("login")),
        Attesting("variable missing", "environment-mismatch", "environment-verified", reply => reply.Env.Remove(Asked(reply))),
        Attesting(
            "variable twice",
            "environment-mismatch",
            "environment-verified",
            reply =>
            {
                var second = Asked(reply).Clone();
                second.SeenBy["exec"] += "x";
                reply.Env.Add(second);
            }
        ),
        Attesting("host name", "environment-mismatch", "environment-verified", reply => reply.Hostname += "x"),
        Attesting("canary", "canary-failed", "egress-canary", reply => reply.CanaryBody = new string('0', 64)),
        Replying<ConfigureReply>("digest when configured", "files-mismatch", "configure", reply => Flip(Last(reply.Files))),
        Replying<ConfigureReply>("missing when configured", "files-mismatch", "configure", reply => reply.Files.RemoveAt(0)),
        Replying<ConfigureReply>("twice when configured", "files-mismatch", "configure", reply => Flip(Twice(reply.Files))),
        Replying<HelloReply>("impostor", "agent-untrusted", "agent", reply => reply.Proof = ByteString.CopyFrom(new byte[32])),
        Replying<HelloReply>("hello too large", "agent-untrusted", "agent", reply => reply.AgentVersion = new string('x', 70_000)),
        Replying<ScreenSize>("screen", "step-failed", "screen-size", reply => reply.Height += 1),
        new(
            "guest's step",
            "step-failed",
            "xfce-session",
            (_, _) =>
                new PlayedGuest
                {
                    FirstSteps =
                    [
                        new GuestStep
                        {
                            Name = "xfce-session",
                            State = StepState.Failed,
                            Detail = "exit code 1",
                        },
                    ],
                }
        ),
        .. Calls
            .Skip(1)
            .Select(call => At(call, "refused", (_, _, _) => throw new RpcException(new Status(StatusCode.Internal, "as told")))),
        .. Calls.Skip(1).Select(call => At(call, "cut", (_, _, context) => CutAsync(context))),
        .. Calls.Select(call =>
            At(
                call with
                {
                    Step = null,
                },
                "guest ends",
                (keepers, spec, context) => HeldAsync(() => keepers.EndAsync(spec.DesktopId, "guest-killed", "signal 9"), context)
            )
        ),
        .. Calls.Select(call =>
            At(
                call with
                {
                    Step = null,
                },
                "keeper killed",
                (keepers, spec, context) => HeldAsync(() => keepers.DieAsync(spec.DesktopId), context)
            )
        ),
    ];

    /// <summary>Something happens in place of the first call of this name; all other calls are answered.</summary>
    public static CreationFault At(
        (string Call, string? Step) at,
        string name,
        Func<PlayedKeepers, KeeperSpec, ServerCallContext, Task> what,
        string? code = null
    ) =>
        new(
            $"{at.Call} {name}",
            code,
            at.Step,
            (keepers, spec) =>
            {
                var first = 1;
                return new PlayedGuest
                {
                    Calling = (call, context) =>
                        call == at.Call && Interlocked.Exchange(ref first, 0) == 1 ? what(keepers, spec, context) : Task.CompletedTask,
                };
            }
        );

    /// <summary>Never answered; ends when whoever called gives up.</summary>
    public static Task HeldAsync(Func<Task> meanwhile, ServerCallContext context)
    {
        _ = Task.Run(meanwhile);
        return Task.Delay(Timeout.Infinite, context.CancellationToken);
    }

    public override string ToString() => Name;

    private static Task CutAsync(ServerCallContext context)
    {
        context.GetHttpContext().Abort();
        return Task.Delay(Timeout.Infinite, context.CancellationToken);
    }

    private static CreationFault Attesting(string name, string code, string step, Action<AttestReply> change) =>
        Replying(name, code, step, change);

    private static CreationFault Replying<T>(string name, string code, string step, Action<T> change) =>
        new(
            name,
            code,
            step,
            (_, _) =>
                new PlayedGuest
                {
                    Replying = reply =>
                    {
                        if (reply is T mine)
                        {
                            change(mine);
                        }
                    },
                }
        );

    private static FileProof Last(RepeatedField<FileProof> files) => files[^1];

    private static ObservedEnv Asked(AttestReply reply) => reply.Env.First(variable => variable.Name == CreationPlan.Variable);

    private static FileProof Twice(RepeatedField<FileProof> files)
    {
        files.Add(files[^1].Clone());
        return files[^1];
    }

    private static void Flip(FileProof proof)
    {
        var digest = proof.Sha256.ToByteArray();
        digest[0] ^= 1;
        proof.Sha256 = ByteString.CopyFrom(digest);
    }
}

/// <summary>What one creation asks for, and what goes wrong in it.</summary>
internal sealed record CreationPlan(int Number, CreationFault Fault, IReadOnlyList<AskedFile> Files, string Value)
{
    public const string Variable = "ASKED";

    public string Hostname => $"p-{Number}";

    /// <summary>As the API takes it.</summary>
    public object Request =>
        new
        {
            name = Hostname,
            hostname = Hostname,
            width = PlayedGuest.Width,
            height = PlayedGuest.Height,
            env = new Dictionary<string, string> { [Variable] = Value },
            files = Files.Select(file => new
            {
                path = file.Path,
                content = Convert.ToBase64String(file.Content),
                mode = file.Mode,
                owner = file.Owner switch
                {
                    "0:0" => "root",
                    "1000:1000" => "user",
                    _ => file.Owner,
                },
            }),
        };

    public static CreationPlan Of(int number, CreationFault fault, Random random)
    {
        (string Path, string Mode, string Owner)[] places =
        [
            ("/home/user/asked", "0644", "1000:1000"),
            ("/etc/asked.conf", "0640", "0:0"),
            ("/home/user/.config/secret", "0600", "1000:1000"),
        ];
        var files = places[..random.Next(1, places.Length + 1)]
            .Select(place =>
            {
                var content = new byte[random.Next(0, 2000)];
                random.NextBytes(content);
                return new AskedFile(place.Path, content, place.Mode, place.Owner);
            });
        return new CreationPlan(number, fault, [.. files], Convert.ToHexStringLower(Encoding.ASCII.GetBytes($"{random.Next()}")));
    }
}
