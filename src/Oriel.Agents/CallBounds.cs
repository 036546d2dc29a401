using System.Collections.Frozen;
using Oriel.Protocol;
using Oriel.Protocol.Display;
using Oriel.Protocol.Guest;

namespace Oriel.Agents;

/// <summary>What an agent may answer to one call: more than any that Oriel made ever sends.</summary>
/// <param name="MessageBytes">Of each message.</param>
/// <param name="Messages">How many.</param>
/// <param name="IsTimed">
/// Whether it has the deadline of <see cref="AgentPatience.Answer"/>. Not what streams, nor what a step of a creation waits for, whose own
/// deadline is longer.
/// </param>
internal readonly record struct CallBounds(int MessageBytes, long Messages = 1, bool IsTimed = false)
{
    private const int Small = 64 * 1024,
        Chunk = 1024 * 1024,
        Frame = 8 * 1024 * 1024;

    /// <summary>A PNG of 3840x2160 pixels that could not be compressed at all.</summary>
    private const int Picture = 26 * 1024 * 1024;

    /// <summary>Of each file its path, and an error that names it; of each variable a value thrice.</summary>
    private const int Proofs = GuestRules.MaxFiles * 16 * 1024;

    /// <summary>A clipboard of 1 MiB, a cursor of 512x512 pixels, or the titles of 256 windows.</summary>
    private const int Change = 2 * 1024 * 1024;

    /// <summary>10,000 names of 255 bytes.</summary>
    private const int Listing = 4 * 1024 * 1024;

    /// <summary>The agent keeps a quarter of it.</summary>
    private const int Steps = 1024;

    private static readonly FrozenDictionary<string, CallBounds> All = new Dictionary<string, CallBounds>
    {
        [nameof(Guest.GuestClient.Hello)] = new(Small, IsTimed: true),
        [nameof(Guest.GuestClient.WatchSteps)] = new(Small, Steps),
        [nameof(Guest.GuestClient.Configure)] = new(Proofs),
        [nameof(Guest.GuestClient.Renew)] = new(Small),
        [nameof(Guest.GuestClient.Attest)] = new(Proofs),
        [nameof(Guest.GuestClient.Exec)] = new(Chunk, long.MaxValue),
        [nameof(Guest.GuestClient.StartProcess)] = new(Small, IsTimed: true),
        [nameof(Guest.GuestClient.ListProcesses)] = new(Listing, IsTimed: true),
        [nameof(Guest.GuestClient.WatchProcess)] = new(Chunk, long.MaxValue),
        [nameof(Guest.GuestClient.ControlProcess)] = new(Small),
        [nameof(Guest.GuestClient.RemoveProcess)] = new(Small, IsTimed: true),
        [nameof(Guest.GuestClient.PutFile)] = new(Small),
        [nameof(Guest.GuestClient.GetFile)] = new(Chunk, long.MaxValue),
        [nameof(Guest.GuestClient.StatFile)] = new(Small, IsTimed: true),
        [nameof(Guest.GuestClient.ListFiles)] = new(Listing, IsTimed: true),
        [nameof(Guest.GuestClient.MakeDirectory)] = new(Small, IsTimed: true),
        [nameof(Guest.GuestClient.MoveFile)] = new(Small),
        [nameof(Guest.GuestClient.RemoveFile)] = new(Small),
        [nameof(Guest.GuestClient.WatchFiles)] = new(Small, long.MaxValue),
        [nameof(Guest.GuestClient.GetArchive)] = new(Chunk, long.MaxValue),
        [nameof(Guest.GuestClient.PutArchive)] = new(Small),
        [nameof(Guest.GuestClient.WatchDisk)] = new(Small, long.MaxValue),
        [nameof(Guest.GuestClient.Shutdown)] = new(Small, IsTimed: true),
        [nameof(Display.DisplayClient.Video)] = new(Frame, long.MaxValue),
        [nameof(Display.DisplayClient.Input)] = new(Small),
        [nameof(Display.DisplayClient.Watch)] = new(Change, long.MaxValue),
        [nameof(Display.DisplayClient.Resize)] = new(Small),
        [nameof(Display.DisplayClient.SetClipboard)] = new(Small, IsTimed: true),
        [nameof(Display.DisplayClient.Screenshot)] = new(Picture, IsTimed: true),
    }.ToFrozenDictionary();

    /// <summary>The names of all calls whose answers are bounded.</summary>
    public static IEnumerable<string> Names => All.Keys;

    /// <param name="call">Its name, without that of the service.</param>
    public static CallBounds Of(string call) => All[call];
}
