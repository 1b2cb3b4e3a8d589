package web

import (
	"context"
	"encoding/xml"
	"net/http"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// publishData is a publish profile as deployment tools read it: one way to deploy each, here the zip alone.
type publishData struct {
	XMLName  xml.Name         `xml:"publishData"`
	Profiles []publishProfile `xml:"publishProfile"`
}

type publishProfile struct {
	Name           string `xml:"profileName,attr"`
	Method         string `xml:"publishMethod,attr"`
	URL            string `xml:"publishUrl,attr"`
	User           string `xml:"userName,attr"`
	Password       string `xml:"userPWD,attr"`
	DestinationURL string `xml:"destinationAppUrl,attr"`
}

// publishXML answers the site's publish profile. It holds the publishing password, as config/publishingcredentials/list does, and asks for a right of its own.
func (s *Service) publishXML(ctx context.Context, c *arm.Call) (any, error) {
	shard, err := shardOf(c.Old.ID)
	if err != nil {
		return nil, err
	}
	have, err := s.loadRows(ctx, shard, c.Old.GUID)
	if err != nil {
		return nil, err
	}
	user, err := s.publishingCredentials(c, shard, c.Old, have)
	if err != nil {
		return nil, err
	}
	b, err := xml.Marshal(publishData{Profiles: []publishProfile{{
		Name: c.Old.Name + " - Zip Deploy", Method: "ZipDeploy", URL: c.Hosts.Authority(c.Host, wire.HostSCM, c.Old.Name), User: user.PublishingUserName, Password: user.PublishingPassword,
		DestinationURL: c.URL(wire.HostSite, c.Old.Name),
	}}})
	return wire.Reply{Header: http.Header{"Content-Type": {"application/xml"}}, Body: b}, err
}
