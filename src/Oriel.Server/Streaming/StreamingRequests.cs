using System.Text.Json.Serialization;

namespace Oriel.Server.Streaming;

/// <param name="Type"><c>offer</c> or <c>answer</c>.</param>
internal sealed record SessionDescription(string? Sdp, string? Type);

/// <param name="Candidate">As in SDP, <c>candidate:…</c>.</param>
internal sealed record IceCandidate(string Candidate, string SdpMid, int SdpMLineIndex);

/// <summary>The server's offer.</summary>
internal sealed record OfferResponse(string Viewer, SessionDescription Offer, IReadOnlyList<IceCandidate> Candidates);

/// <summary>The server's answer.</summary>
internal sealed record AnswerResponse(string Viewer, SessionDescription Answer, IReadOnlyList<IceCandidate> Candidates);

/// <summary>Either the page's answer to the server's offer (with its viewer), or an offer of the page's own.</summary>
internal sealed record AnswerRequest(string? Viewer, SessionDescription? Answer, SessionDescription? Offer);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, MaxDepth = 8, AllowDuplicateProperties = false)]
[JsonSerializable(typeof(OfferResponse))]
[JsonSerializable(typeof(AnswerResponse))]
[JsonSerializable(typeof(AnswerRequest))]
internal sealed partial class StreamingEndpointsJsonContext : JsonSerializerContext;
