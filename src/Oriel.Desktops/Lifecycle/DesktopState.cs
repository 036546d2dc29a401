using System.Text.Json.Serialization;

namespace Oriel.Desktops.Lifecycle;

/// <summary>Where a desktop is in its life. The names are the same in code, API, page, logs and docs.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<DesktopState>))]
public enum DesktopState
{
    [JsonStringEnumMemberName("creating")]
    Creating,

    [JsonStringEnumMemberName("booting")]
    Booting,

    [JsonStringEnumMemberName("configuring")]
    Configuring,

    [JsonStringEnumMemberName("ready")]
    Ready,

    [JsonStringEnumMemberName("paused")]
    Paused,

    [JsonStringEnumMemberName("failed")]
    Failed,

    [JsonStringEnumMemberName("destroying")]
    Destroying,

    [JsonStringEnumMemberName("destroyed")]
    Destroyed,
}

/// <summary>
/// What can happen to a desktop; each is legal in the states that <see cref="DesktopTransitions"/> lists and in no other.
/// </summary>
public enum DesktopVerb
{
    /// <summary>The keeper runs and its guest was started.</summary>
    Boot,

    /// <summary>The agent has answered and proven itself.</summary>
    Configure,

    /// <summary>Everything of the attestation holds.</summary>
    Prove,
    Pause,
    Resume,

    /// <summary>Another desktop becomes a copy of it.</summary>
    Fork,

    /// <summary>Something that must not happen did.</summary>
    Fail,

    /// <summary>A person, the API, the time to live or the idle time-out wants it gone.</summary>
    Destroy,

    /// <summary>Nothing of it is left.</summary>
    Remove,
}
