package alerts

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/alerting"
	"github.com/bulkheadhq/bulkhead/internal/arm"
)

// The kinds of criteria of metric alerts.
const (
	criteriaPrefix = "Microsoft.Azure.Monitor."
	criteriaSingle = criteriaPrefix + "SingleResourceMultipleMetricCriteria"
	criteriaMulti  = criteriaPrefix + "MultipleResourceMultipleMetricCriteria"

	staticCriterion  = "StaticThresholdCriterion"
	dynamicCriterion = "DynamicThresholdCriterion"
)

// criteria is properties.criteria of a metric alert as it is kept and shown.
type criteria struct {
	Type  string      `json:"odata.type"`
	AllOf []criterion `json:"allOf"`
}

type criterion struct {
	Type           string          `json:"criterionType"`
	Name           string          `json:"name"`
	Metric         string          `json:"metricName"`
	Namespace      string          `json:"metricNamespace,omitempty"`
	Operator       string          `json:"operator"`
	Threshold      *float64        `json:"threshold,omitempty"`
	Aggregation    string          `json:"timeAggregation"`
	Dimensions     []dimension     `json:"dimensions"`
	SkipValidation bool            `json:"skipMetricValidation"`
	Sensitivity    string          `json:"alertSensitivity,omitempty"`
	Failing        *failingPeriods `json:"failingPeriods,omitempty"`
	IgnoreBefore   *time.Time      `json:"ignoreDataBefore,omitempty"`
}

type dimension struct {
	Name     string   `json:"name"`
	Operator string   `json:"operator"`
	Values   []string `json:"values"`
}

type failingPeriods struct {
	Periods number `json:"numberOfEvaluationPeriods"`
	Failing number `json:"minFailingPeriodsToAlert"`
}

// number is a whole number that some clients send as 4.0.
type number int

// UnmarshalJSON implements json.Unmarshaler.
func (n *number) UnmarshalJSON(b []byte) error {
	var f float64
	if err := json.Unmarshal(b, &f); err != nil {
		return err
	}
	if *n = number(f); float64(*n) != f {
		*n = -1 // refused by its bounds
	}
	return nil
}

const (
	maxCriteria   = 5
	maxDimensions = 10
	maxValues     = 500
	maxPeriods    = 6
)

// readCriteria reads what a client sent and what it means.
func readCriteria(in arm.Object) (*criteria, []alerting.Criterion, error) {
	c := &criteria{Type: in.String("odata.type")}
	switch {
	case in == nil:
		return nil, nil, bad("The property 'criteria' is required.")
	case strings.EqualFold(c.Type, criteriaSingle):
		c.Type = criteriaSingle
	case strings.EqualFold(c.Type, criteriaMulti):
		c.Type = criteriaMulti
	case strings.EqualFold(c.Type, criteriaPrefix+"WebtestLocationAvailabilityCriteria"):
		return nil, nil, notImplemented("Criteria of availability tests ("+c.Type+") are", "Use metric criteria.")
	case strings.EqualFold(c.Type, criteriaPrefix+"PromQLCriteria"):
		return nil, nil, notImplemented("Criteria that are queries ("+c.Type+") are", "Use metric criteria.")
	default:
		return nil, nil, bad("The odata.type of the criteria is '%.100s'; %s and %s are known.", c.Type, criteriaSingle, criteriaMulti)
	}
	if err := in.Decode("allOf", &c.AllOf); err != nil {
		return nil, nil, err
	}
	if len(c.AllOf) == 0 || len(c.AllOf) > maxCriteria {
		return nil, nil, bad("A metric alert has 1 to %d criteria in allOf, not %d.", maxCriteria, len(c.AllOf))
	}
	out := make([]alerting.Criterion, 0, len(c.AllOf))
	for i := range c.AllOf {
		k := &c.AllOf[i]
		one, err := k.read()
		if err != nil {
			return nil, nil, err
		}
		for j := range i {
			if strings.EqualFold(c.AllOf[j].Name, k.Name) {
				return nil, nil, bad("Two criteria have the name '%.100s'.", k.Name)
			}
		}
		if one.Dynamic != nil && c.Type == criteriaSingle {
			return nil, nil, bad("Error parsing request payload: criteria with dynamic thresholds are of the type %s.", criteriaMulti)
		}
		if one.Dynamic != nil && len(c.AllOf) > 1 {
			return nil, nil, bad("A criterion with a dynamic threshold is the only one of its rule.")
		}
		out = append(out, one)
	}
	return c, out, nil
}

// read puts the criterion into its canonical form, and says what it means.
func (k *criterion) read() (out alerting.Criterion, err error) {
	if k.Name == "" || k.Metric == "" || len(k.Name) > 256 || len(k.Metric) > 256 {
		return out, bad("Each criterion has a name and a metricName, of at most 256 characters.")
	}
	out = alerting.Criterion{Name: k.Name, Namespace: k.Namespace, Metric: k.Metric}
	var ok bool
	if out.Operator, ok = alerting.ParseOperator(k.Operator); !ok {
		return out, bad("The operator '%.60s' of the criterion '%.100s' is not known.", k.Operator, k.Name)
	}
	if out.Aggregation, ok = alerting.ParseAggregation(k.Aggregation); !ok {
		return out, bad("The timeAggregation '%.60s' of the criterion '%.100s' is not one of Average, Count, Minimum, Maximum and Total.", k.Aggregation, k.Name)
	}
	k.Operator, k.Aggregation = out.Operator.String(), out.Aggregation.String()
	switch {
	case strings.EqualFold(k.Type, staticCriterion), k.Type == "" && k.Sensitivity == "":
		k.Type = staticCriterion
		err = k.readStatic(&out)
	case strings.EqualFold(k.Type, dynamicCriterion), k.Type == "":
		k.Type = dynamicCriterion
		err = k.readDynamic(&out)
	default:
		return out, bad("The criterionType '%.60s' is not known.", k.Type)
	}
	if err != nil {
		return out, err
	}
	return out, k.readDimensions(&out)
}

func (k *criterion) readStatic(out *alerting.Criterion) error {
	if k.Threshold == nil {
		return bad("The criterion '%.100s' has no threshold.", k.Name)
	}
	if out.Operator == alerting.GreaterOrLessThan {
		return bad("The operator GreaterOrLessThan of the criterion '%.100s' is for dynamic thresholds.", k.Name)
	}
	out.Threshold = *k.Threshold
	k.Sensitivity, k.Failing, k.IgnoreBefore = "", nil, nil
	return nil
}

func (k *criterion) readDynamic(out *alerting.Criterion) error {
	switch out.Operator {
	case alerting.GreaterThan, alerting.LessThan, alerting.GreaterOrLessThan:
	default:
		return bad("The operator of a dynamic threshold is GreaterThan, LessThan or GreaterOrLessThan, not %s.", k.Operator)
	}
	deviations, ok := alerting.Sensitivity(k.Sensitivity)
	if !ok {
		return bad("The alertSensitivity '%.60s' is not one of Low, Medium and High.", k.Sensitivity)
	}
	if k.Failing == nil {
		k.Failing = &failingPeriods{4, 4}
	}
	if f := k.Failing; f.Periods < 1 || f.Periods > maxPeriods || f.Failing < 1 || f.Failing > f.Periods {
		return bad("failingPeriods has 1 to %d numberOfEvaluationPeriods, and 1 to so many minFailingPeriodsToAlert.", maxPeriods)
	}
	k.Threshold = nil
	out.Dynamic = &alerting.Dynamic{Deviations: deviations, Periods: int(k.Failing.Periods), MinFailing: int(k.Failing.Failing)}
	if k.IgnoreBefore != nil {
		out.Dynamic.IgnoreBefore = max(minuteOf(*k.IgnoreBefore), 0)
	}
	return nil
}

func (k *criterion) readDimensions(out *alerting.Criterion) error {
	if k.Dimensions == nil {
		k.Dimensions = []dimension{}
	}
	if len(k.Dimensions) > maxDimensions {
		return bad("The criterion '%.100s' has more than %d dimensions.", k.Name, maxDimensions)
	}
	for i := range k.Dimensions {
		d := &k.Dimensions[i]
		switch {
		case strings.EqualFold(d.Operator, "Include"):
			d.Operator = "Include"
		case strings.EqualFold(d.Operator, "Exclude"):
			d.Operator = "Exclude"
		default:
			return bad("The operator '%.60s' of the dimension '%.100s' is neither Include nor Exclude.", d.Operator, d.Name)
		}
		if d.Name == "" || len(d.Values) == 0 || len(d.Values) > maxValues {
			return bad("A dimension has a name, and 1 to %d values.", maxValues)
		}
		out.Dimensions = append(out.Dimensions, alerting.Dimension{Name: d.Name, Exclude: d.Operator == "Exclude", Values: d.Values})
	}
	return nil
}
